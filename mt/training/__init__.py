"""Fine-tuning: batches by tokens, loss by tokens, the best checkpoint by chrF."""
