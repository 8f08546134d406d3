"""The plugins that the plugin file of this package starts."""
