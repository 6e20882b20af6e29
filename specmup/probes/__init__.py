"""What is measured inside a network."""

from specmup.extras import require_lab

require_lab(__name__)
