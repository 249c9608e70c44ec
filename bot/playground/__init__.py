"""The bot without Telegram: a Bot API server on loopback, and a chat page for the people's side.

For tests: ``async with serve(folder) as playground, Person.join(playground.address) as ada: ...``.
"""

from bot.playground.faults import Fault, Pace
from bot.playground.person import Message, Person, Picture
from bot.playground.run import main
from bot.playground.server import Playground, serve

__all__ = ["Fault", "Message", "Pace", "Person", "Picture", "Playground", "main", "serve"]
