"""What setup.cfg cannot say: ``migrations/``, ``etc/``, ``share/`` and the JSON of ``docs/`` are in the package.

The mapping is made for the build alone. A ``package_dir`` of the whole distribution would turn an editable install
into an import hook, and twistd, which looks through the folders on the path, would not find the plugin.
"""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFolders(build_py):
    """Adds the folders to the packages of a wheel; a development install finds them beside the package."""

    def finalize_options(self) -> None:
        """Map the folders, in this command only."""
        super().finalize_options()
        self.package_dir = {
            **self.package_dir,
            "broker.migrations": "migrations",
            "broker.etc": "etc",
            "broker.share": "share",
            "broker.docs": "docs",
        }
        self.packages = [
            *(self.packages or ()),
            "broker.migrations",
            "broker.migrations.versions",
            "broker.docs",
            "broker.etc",
            "broker.share.completions",
            "broker.share.grafana",
            "broker.share.logrotate",
            "broker.share.prometheus",
            "broker.share.systemd",
        ]


setup(cmdclass={"build_py": BuildWithFolders})
