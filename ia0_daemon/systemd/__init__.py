"""What the daemon speaks with systemd: the sockets it hands over, its notifications, the engine's unit."""
