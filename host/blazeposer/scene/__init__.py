"""Draw synthetic scenes that show heads with known poses."""
