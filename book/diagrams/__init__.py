"""The book's drawn diagrams, one a module: ``python -m diagrams`` draws them all.

A diagram ``some_name`` is the function ``draw`` of ``diagrams.some_name``; the file is
``book/_static/diagrams/some-name.svg``. Orders and numbers in it come from the solver.
"""
