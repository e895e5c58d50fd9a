"""Networks, augmentation and the training loop that several myths share."""
