"""The libraries' optimizers, made to follow their update laws, and the condition enforced."""
