"""The one entry that a scheduler of the system keeps for a home: `run --if-due`, looked at every hour."""
