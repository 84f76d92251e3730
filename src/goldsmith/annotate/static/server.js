// Calls of the server: one way to say what went wrong, and whether trying again can help.

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  // The request never arrived, or the server could not work: the same request may succeed later.
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function makeServer(csrf) {
  return async function call(method, path, body, seconds = 20) {
    const request = { method, headers: { "X-CSRF-Token": csrf, Accept: "application/json" }, credentials: "same-origin" };
    if (body !== undefined) {
      request.headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body);
    }
    const limit = new AbortController();
    const clock = setTimeout(() => limit.abort(), seconds * 1000);
    request.signal = limit.signal;
    let answer, found;
    try {
      answer = await fetch(path, request);
      found = await answer.json().catch(() => null);
    } catch {
      throw new Refused(0, "offline", "");
    } finally {
      clearTimeout(clock);
    }
    if (answer.ok && found !== null) return found;
    const error = (found && found.error) || {};
    throw new Refused(answer.ok ? 0 : answer.status, error.code || "bug", error.message || "");
  };
}
