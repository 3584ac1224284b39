"""What vendors send and take, and what users may give: checked before the first call."""
