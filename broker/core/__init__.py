"""The broker itself: subjects, sessions, topics, queues and dispatch. Synchronous, without sockets and without SQL."""
