"""What every myth uses; knows no myth."""
