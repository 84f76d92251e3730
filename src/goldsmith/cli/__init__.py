"""The command line: one thin file per verb; each calls one library function and renders what it returns."""
