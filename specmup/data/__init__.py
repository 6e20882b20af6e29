"""Images and text that runs learn from."""

from specmup.extras import require_lab

require_lab(__name__)
