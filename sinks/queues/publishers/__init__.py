"""Publishers: what gives messages to brokers and web servers, a file each."""
