"""Measure time, memory and energy on a device, and know the device."""
