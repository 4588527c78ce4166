"""Laws: noise level functions of cameras that hold at any ISO."""
