"""`python -m skillopt_sleep` is the command `skillopt-sleep`."""

from skillopt_sleep.cli.main import main

if __name__ == "__main__":
    main()
