"""Current clamps on an ADS1115, an analogue-to-digital converter on an I2C bus."""
