"""Rules about the data: inputs, targets, the order of batches."""
