"""Rules about the process that trains: time, data loading, ranks, resuming."""
