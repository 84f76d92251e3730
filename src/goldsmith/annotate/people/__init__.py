"""Accounts: passwords, sessions, invitations, sign-in through OpenID Connect, and limits on guessing."""
