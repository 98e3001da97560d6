"""Somebody on Matrix with encryption that is not ours: python3-matrix-nio over libolm. One JSON object a line in, one a line out."""
import asyncio, json, logging, sys
from nio import AsyncClient, AsyncClientConfig, MegolmEvent, RoomMessage, UnknownEvent, SyncResponse

logging.disable(logging.CRITICAL)
base, user, device, token, store = sys.argv[1:6]


def say(**what):
    print(json.dumps(what), flush=True)


async def main():
    client = AsyncClient(base, user, device_id=device, store_path=store, config=AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True))
    client.restore_login(user, device, token)

    async def heard(room, event):
        relates = event.source.get("content", {}).get("m.relates_to", {})
        say(heard=getattr(event, "body", None), type=type(event).__name__, sender=event.sender, room=room.room_id, id=event.event_id,
            encrypted=bool(getattr(event, "decrypted", False)), relates=relates, html=getattr(event, "formatted_body", None), content=event.source.get("content", {}))

    client.add_event_callback(heard, (RoomMessage, MegolmEvent, UnknownEvent))

    async def synced(response):
        for room in list(client.invited_rooms):
            await client.join(room)
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()

    client.add_response_callback(synced, SyncResponse)
    loop = asyncio.get_running_loop()
    await client.keys_upload()
    await client.sync(timeout=0, full_state=True)
    say(ready=True)
    syncing = asyncio.create_task(client.sync_forever(timeout=5000))

    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = await reader.readline()
        if not line:
            break
        ask = json.loads(line)
        try:
            if ask["do"] == "send":
                # A room that was made just now is known with the next sync.
                for _ in range(300):
                    if ask["room"] in client.rooms:
                        break
                    await asyncio.sleep(0.1)
                room = client.rooms[ask["room"]]
                if room.encrypted:
                    await client.joined_members(ask["room"])
                    if client.should_query_keys:
                        await client.keys_query()
                answer = await client.room_send(ask["room"], ask.get("type", "m.room.message"), ask["content"], ignore_unverified_devices=True)
                say(sent=getattr(answer, "event_id", str(answer)))
            elif ask["do"] == "forget":
                # A new session of message keys, shared with nobody whom `without` names.
                client.invalidate_outbound_session(ask["room"])
                say(forgot=True)
        except Exception as error:
            say(failed=repr(error))
    syncing.cancel()
    await client.close()


asyncio.run(main())
