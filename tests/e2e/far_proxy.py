"""A TCP proxy that makes a server far away, or cuts connections: far_proxy.py LISTEN-PORT SERVER-PORT [options], both on 127.0.0.1.

--delay-ms D   every byte arrives D ms later, each way; a connection is open after 2 D, as its handshake takes that long
--window B     bytes of one connection and direction that are on their way unacknowledged (1 MiB): what TCP sends in a round trip
--cut REGEX    once REGEX stands in what the client sends, the connection is reset --cut-after BYTES later (100000), every time
"""

import argparse
import asyncio
import re
import socket


class Line:
    """One direction of one connection: bytes in order, delayed, no more than a window of them on their way."""

    def __init__(self, options, cut):
        self.options = options
        self.cut = cut
        self.room = options.window
        self.freed = asyncio.Event()
        self.queue = asyncio.Queue()
        self.seen = b""
        self.left = None  # bytes until the cut

    def allowed(self, data):
        """What of the data is still passed on; all of it unless the cut is near."""
        if not self.cut:
            return data
        if self.left is None:
            self.seen = self.seen[-4096:] + data
            found = self.cut.search(self.seen)
            if not found:
                return data
            behind = len(self.seen) - found.end()
            self.left = max(0, self.options.cut_after - behind)
            return data if self.left > 0 else data[: max(0, len(data) - behind)]
        passed, self.left = data[: self.left], self.left - len(data)
        return passed

    async def read(self, reader):
        loop = asyncio.get_running_loop()
        while True:
            while self.room <= 0:
                self.freed.clear()
                await self.freed.wait()
            data = await reader.read(min(65536, self.room))
            passed = self.allowed(data)
            self.room -= len(passed)
            self.queue.put_nowait((loop.time() + self.options.delay_ms / 1000, passed))
            if not data:
                return
            if self.left is not None and self.left <= 0:
                self.queue.put_nowait((loop.time() + self.options.delay_ms / 1000, None))
                return

    def free(self, count):
        self.room += count
        self.freed.set()

    async def write(self, writer):
        """False: the connection is to be cut."""
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self.queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if data is None:
                return False
            if not data:
                writer.write_eof()
                return True
            writer.write(data)
            loop.call_later(self.options.delay_ms / 1000, self.free, len(data))
            await writer.drain()


async def serve(options, cut, reader, writer):
    await asyncio.sleep(2 * options.delay_ms / 1000)
    try:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", options.server, limit=1 << 20)
    except OSError:
        writer.transport.abort()
        return
    for end in (writer, server_writer):
        end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up, down = Line(options, cut), Line(options, None)
    tasks = [asyncio.ensure_future(work) for work in (up.read(reader), up.write(server_writer), down.read(server_reader), down.write(writer))]
    pending = set(tasks)
    broken = False
    while pending and not broken:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        broken = any(task.exception() or task.result() is False for task in done)
    for task in pending:
        task.cancel()
    for end in (writer, server_writer):
        if broken:
            end.transport.abort()
        else:
            end.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("listen", type=int)
    parser.add_argument("server", type=int)
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--window", type=int, default=1 << 20)
    parser.add_argument("--cut")
    parser.add_argument("--cut-after", type=int, default=100000)
    options = parser.parse_args()
    cut = re.compile(options.cut.encode()) if options.cut else None
    server = await asyncio.start_server(lambda reader, writer: serve(options, cut, reader, writer), "127.0.0.1", options.listen, limit=1 << 20)
    async with server:
        await server.serve_forever()


asyncio.run(main())
