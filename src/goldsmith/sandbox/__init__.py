"""Running untrusted code: Python and JavaScript in bubblewrap, without a network, within limits, as nobody in particular.

Where the protections do not hold, there is no sandbox: code is refused, never run with fewer of them.
"""

from goldsmith.sandbox.check import SandboxReport, check_sandbox
from goldsmith.sandbox.limits import Limits
from goldsmith.sandbox.result import CodeResult
from goldsmith.sandbox.run import run_code

__all__ = ["CodeResult", "Limits", "SandboxReport", "check_sandbox", "run_code"]
