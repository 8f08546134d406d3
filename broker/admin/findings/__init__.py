"""What is wrong with the broker, or soon will be: found by alarms, by checks and by the diagnosis alike."""
