"""Networks, data augmentation and the training loop for image classifiers."""
