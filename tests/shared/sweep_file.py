"""The file of a sweep of seconds, as text: tests change it, or run it."""

FILE = """
name = "tiny"
scale = "quick"

[text]
source = "counting"
vocabulary = 16

[model]
context = 8
head_dimension = 4

[base]
width = 8
depth = 1
std = 0.1

[training]
steps = 4
batch_size = 4
validation_windows = 8

[optimizers.adamw]
betas = [0.9, 0.95]

[optimizers.muon]
momentum = 0.9

[[grid]]
rules = ["k2"]
optimizers = ["adamw"]
widths = [8, 16]
log2_lr = [-8, -6, -4]
seeds = [0]
"""
STEPS, RULES = "steps = 4", 'rules = ["k2"]'
TEXT = 'source = "counting"\nvocabulary = 16'
