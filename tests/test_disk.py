"""A disk that is full, at every place where a run writes: one sentence, nothing lost, and the run goes on afterwards."""
