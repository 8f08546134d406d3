"""Class names of xmlBlaster's plugin file and what serves in their place (spec xmlblaster §14.2, §14.3).

So a plugin file that an administrator brings along loads: what exists here is started, the rest is named in the log.
"""

from __future__ import annotations

SERVED = {
    "org.xmlBlaster.engine.EventPlugin": "broker.plugins.events.EventPlugin",
    "org.xmlBlaster.util.checkpoint.Checkpoint": "broker.plugins.checkpoint.CheckpointPlugin",
    "org.xmlBlaster.engine.SessionPersistencePlugin": "broker.plugins.persistence.SessionPersistence",
    "org.xmlBlaster.protocol.socket.SocketDriver": "broker.plugins.socket.SocketPlugin",
    "org.xmlBlaster.protocol.xmlrpc.XmlRpcDriver": "broker.plugins.xmlrpc.XmlRpcPlugin",
}

# Sites move such classes between packages of their own, so the last part of the name decides.
_NOT_SERVED = {
    "CorbaDriver": "CORBA is not supported",
    "RmiDriver": "RMI is not supported",
    "SoapDriver": "SOAP is not supported",
    "MqttDriver": "MQTT is not supported",
    "StompDriver": "STOMP is not supported",
    "EmailDriver": "email is not supported",
    "SmtpClient": "email is not supported",
    "Pop3Driver": "email is not supported",
    "HttpDriver": "the HTTP interface is a different one",
    "HtmlMonitorPlugin": "the HTTP interface is a different one",
    "MX4JAdaptorPlugin": "JMX is not supported",
    "JdbcDriver": "the database service is not supported",
    "ClusterManager": "clusters of xmlBlaster are not supported",
    "PriorizedDispatchPlugin": "dispatch plugins are not supported",
    "ReplManagerPlugin": "replication is not supported",
    "DeadMessageDumper": "dumping dead messages is not supported",
    "StartupTasks": "startup tasks are not supported",
    "FileWatcherPlugin": "the file watcher is not supported",
    "FileWriter": "the file writer is not supported",
    "FilePollerPlugin": "the file poller is not supported",
    "SchedulerPlugin": "the scheduler is not supported",
    "DbWatcherPlugin": "the database watcher is not supported",
    "HelloWorldNative": "plugins in Java are not supported",
    "HelloWorldNative2": "plugins in Java are not supported",
    "HelloWorldNative3": "plugins in Java are not supported",
}
_PACKAGES = ("org.xmlBlaster.", "javaclients.", "http.")
_CONTRIBUTED = "org.xmlBlaster.contrib."


def python_name(class_name: str) -> str:
    """The dotted name to import for a class name of the plugin file; itself where it is not xmlBlaster's."""
    return SERVED.get(class_name, class_name)


def reason_not_served(class_name: str) -> str:
    """Why a plugin of xmlBlaster is not loaded; empty for every other class name."""
    if not class_name.startswith(_PACKAGES):
        return ""
    default = "contributed plugins in Java are not supported" if class_name.startswith(_CONTRIBUTED) else ""
    return _NOT_SERVED.get(class_name.rpartition(".")[2], default)
