"""An RTSP server that takes a stream and keeps it. Run by the system's python3, never imported.

What is pushed to `/live` (H.264) is appended to a file of bare H.264. It ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import sys

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found] # noqa: E402
    GLib,
    Gst,
    GstRtspServer,
)


def user_only(server: GstRtspServer.RTSPServer, user: str, password: str) -> None:
    """Let the server ask for a name and a password."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(
        "( rtph264depay name=depay0 ! h264parse config-interval=-1 ! "
        "video/x-h264,stream-format=byte-stream "
        f"! filesink location={arguments.file} append=true sync=false buffer-mode=2 )"
    )
    if arguments.user:
        user_only(server, arguments.user, arguments.password)
        permissions = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            permissions.add_permission_for_role("user", f"media.factory.{what}", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on port {arguments.port}")
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
