"""What a network's sizes must satisfy, solved exactly; nothing here needs a tensor."""
