"""Wrong Bobs, by the stage at which each must be found out."""

import asyncio
import json
from typing import Any

from yarl import URL

from tests.exercises.bobs import Bob, Event

# ── 1 connect ───────────────────────────────────────────────────────────────────────────────────


class NeverStarts(Bob):
    STAGE = 1

    async def run(self) -> None:
        await asyncio.Event().wait()


class JoinsAnotherRoom(Bob):
    STAGE = 1

    def __init__(self, address: str, seed: int) -> None:
        super().__init__(str(URL(address).with_query(room="main")), seed)


class MisspellsAParameter(Bob):
    STAGE = 1

    def query(self) -> dict[str, str]:
        return {"nmae": self.name}


class LeavesAtOnce(Bob):
    STAGE = 1

    async def talk(self) -> None:
        await self.ws.close()


# ── 2 say something true ────────────────────────────────────────────────────────────────────────


class SaysNothing(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return []


class SpeaksNoJson(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return ["hello"]


class LeavesOutTheType(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return [{"data": {"id": 5}}]


class SendsTextAsData(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return [{"type": "hello_said", "data": "hello"}]


class SpeaksForAnother(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return [{"source": "alice", **event} for event in super().first_words()]


class CountsMilliseconds(Bob):
    STAGE = 2

    def first_words(self) -> list[Any]:
        return [{"created": 1676554735324, **event} for event in super().first_words()]


# ── 3 place an order ────────────────────────────────────────────────────────────────────────────


class PlacesNothing(Bob):
    STAGE = 3

    def first_words(self) -> list[Any]:
        return super().first_words()[:1]


class Places(Bob):
    """An order with something wrong in it."""

    wrong: Event

    def first_words(self) -> list[Any]:
        hello, order = super().first_words()
        return [hello, {**order, "data": {**order["data"], **self.wrong}}]


class NumbersWithText(Places):
    STAGE, wrong = 3, {"id": "5"}


class OrdersNone(Places):
    STAGE, wrong = 3, {"quantity": 0}


class OrdersOffTheMenu(Places):
    STAGE, wrong = 3, {"item": "pizza"}


class MisspellsOrderPlaced(Bob):
    STAGE = 3

    def first_words(self) -> list[Any]:
        hello, order = super().first_words()
        return [hello, {**order, "type": "order_place"}]


# ── 4 hear one ──────────────────────────────────────────────────────────────────────────────────


class HearsNothing(Bob):
    STAGE = 4

    def wants(self, event: Event) -> bool:
        return False


class Answers(Bob):
    """Its data is not as it must be, in every answer."""

    def data(self, data: Event) -> Event:
        return data

    def event(self, type: str, data: Event) -> Event:
        return super().event(type, self.data(data) if "customer" in data else data)


class NamesTheNumber(Answers):
    STAGE = 4

    def data(self, data: Event) -> Event:
        return {**data, "event": data["id"]}


class NamesNoEvent(Answers):
    STAGE = 4

    def data(self, data: Event) -> Event:
        return {"ok": True}


class NamesARandomEvent(Answers):
    STAGE = 4

    def data(self, data: Event) -> Event:
        return {**data, "event": Bob.event(self, "", {})["id"]}


# ── 5 pick ──────────────────────────────────────────────────────────────────────────────────────


class AnswersTheWeather(Bob):
    STAGE = 5

    def wants(self, event: Event) -> bool:
        return bool(event["source"] != self.name)


class AnswersItself(Bob):
    STAGE = 5
    said = 0

    def wants(self, event: Event) -> bool:
        if event["source"] == self.name and event["type"] == "order_confirmed":
            self.said += 1
            return self.said < 10
        return super().wants(event)


class LoopsOverOneEvent(Bob):
    STAGE = 5

    def answers(self, event: Event) -> list[Event]:
        (answer,) = super().answers(event)
        return [answer, *(self.event(answer["type"], answer["data"]) for _ in range(3))]


class StopsAfterTheFirst(Bob):
    STAGE = 5

    def wants(self, event: Event) -> bool:
        return super().wants(event) and event["source"] == "alice"  # who orders first


class ConfirmsAndRejects(Bob):
    STAGE = 5

    def answers(self, event: Event) -> list[Event]:
        answers = super().answers(event)
        return [*answers, self.rejection(answers[0]["data"], "unknown_item")]


# ── 6 subscribe ─────────────────────────────────────────────────────────────────────────────────


class SubscribesToNothing(Bob):
    STAGE = 6

    def query(self) -> dict[str, str]:
        return {"name": self.name, "ack": "manual"}


class SubscribesToAll(Bob):
    STAGE = 6

    def query(self) -> dict[str, str]:
        return {**super().query(), "types": "order_placed,weather_*"}


class MisspellsTheSubscription(Bob):
    STAGE = 6

    def query(self) -> dict[str, str]:
        return {**super().query(), "types": "orders_placed"}


# ── 7 confirm ───────────────────────────────────────────────────────────────────────────────────


class MakesTextOfNumbers(Answers):
    STAGE = 7

    def data(self, data: Event) -> Event:
        return {**data, "id": str(data["id"])}


class LeavesOutTheCustomer(Answers):
    STAGE = 7

    def data(self, data: Event) -> Event:
        return {key: value for key, value in data.items() if key != "customer"}


class NamesItselfAsTheCustomer(Answers):
    STAGE = 7

    def data(self, data: Event) -> Event:
        return {**data, "customer": self.name}


class LeavesOutTheNumber(Answers):
    STAGE = 7

    def data(self, data: Event) -> Event:
        return {key: value for key, value in data.items() if key != "id"}


class MixesCustomers(Answers):
    STAGE = 7

    def __init__(self, address: str, seed: int) -> None:
        super().__init__(address, seed)
        self.of: dict[str, str] = {}

    def data(self, data: Event) -> Event:
        customer = self.of.setdefault(json.dumps(data["id"]), data["customer"])
        return {**data, "customer": customer}


class MisspellsItsAnswer(Bob):
    STAGE = 7

    def confirmation(self, data: Event) -> Event:
        return self.event("order_confirm", data)


class RejectsEverything(Bob):
    STAGE = 7

    def reason(self, event: Event) -> str:
        return "unknown_item"


class TakesANumberForAnOrder(Bob):
    """Two customers may use one number."""

    STAGE = 7

    def order_of(self, event: Event) -> tuple[str, str]:
        return "", str(event["data"].get("id"))


# ── 8 reject ────────────────────────────────────────────────────────────────────────────────────


class ConfirmsEverything(Bob):
    STAGE = 8

    def reason(self, event: Event) -> str:
        return ""


class HasOneReason(Bob):
    STAGE = 8

    def reason(self, event: Event) -> str:
        return super().reason(event) and "bad_order"


class GivesNoReason(Answers):
    STAGE = 8

    def data(self, data: Event) -> Event:
        return {key: value for key, value in data.items() if key != "reason"}


class GivesNoMessage(Answers):
    STAGE = 8

    def data(self, data: Event) -> Event:
        return {**data, "message": ""} if "message" in data else data


class ForgetsTheNote(Bob):
    STAGE = 8

    def reason(self, event: Event) -> str:
        reason = super().reason(event)
        return "" if reason == "invalid_note" else reason


class TakesAnyQuantity(Bob):
    STAGE = 8

    def reason(self, event: Event) -> str:
        reason = super().reason(event)
        return "" if reason == "invalid_quantity" else reason


class SaysNothingToBadOrders(Bob):
    STAGE = 8

    def wants(self, event: Event) -> bool:
        return super().wants(event) and not self.reason(event)


# ── 9 queue ─────────────────────────────────────────────────────────────────────────────────────


class ForgetsTheAck(Bob):
    STAGE = 9

    async def ack(self, id: str) -> None:
        pass


class AcksFirst(Bob):
    STAGE = 9

    async def handle(self, event: Event) -> None:
        if "attempt" in event:
            await self.ack(event["id"])
            await asyncio.sleep(0.2)
        await super().handle(event)

    async def accepted(self, id: str) -> None:
        pass


class AcksOnly(Bob):
    STAGE = 9

    async def handle(self, event: Event) -> None:
        if "attempt" in event:
            await self.ack(event["id"])
        else:
            await super().handle(event)


class AcksItsAnswer(Bob):
    STAGE = 9

    async def accepted(self, id: str) -> None:
        await self.ack(id)


class AcksAutomatically(Bob):
    STAGE = 9

    def query(self) -> dict[str, str]:
        return {**super().query(), "ack": "auto"}


# ── 10 come back ────────────────────────────────────────────────────────────────────────────────


class NeverComesBack(Bob):
    STAGE = 10

    def comes_back(self) -> bool:
        return False


class ComesBackWithoutAfter(Bob):
    STAGE = 10

    async def talk(self) -> None:
        self.last = None
        await super().talk()
        self.last = None


class ReadsFromTheStart(Bob):
    STAGE = 10

    def comes_back(self) -> bool:
        self.last = "start"
        self.answered.clear()
        self.confirmed.clear()
        return True


class ForgetsWhatItMissed(Bob):
    STAGE = 10

    def __init__(self, address: str, seed: int) -> None:
        super().__init__(address, seed)
        self.catching_up = False

    def comes_back(self) -> bool:
        self.catching_up = True
        return True

    def wants(self, event: Event) -> bool:
        return super().wants(event) and not self.catching_up


# ── 11 once ─────────────────────────────────────────────────────────────────────────────────────


class RemembersNothing(Bob):
    STAGE = 11

    def knows(self, event: Event) -> bool:
        self.confirmed.pop(self.order_of(event), None)
        return False


class ConfirmsANumberTwice(Bob):
    STAGE = 11

    def reason(self, event: Event) -> str:
        reason = super().reason(event)
        return "" if reason == "duplicate_order" else reason


class IgnoresASecondOrder(Bob):
    STAGE = 11

    def knows(self, event: Event) -> bool:
        return super().knows(event) or self.reason(event) == "duplicate_order"

    async def handle(self, event: Event) -> None:
        if super().knows(event) or self.reason(event) != "duplicate_order":
            await super().handle(event)
        elif "attempt" in event:
            await self.ack(event["id"])


class CallsADuplicateInvalid(Bob):
    STAGE = 11

    def reason(self, event: Event) -> str:
        reason = super().reason(event)
        return "invalid_id" if reason == "duplicate_order" else reason


class RemembersWhatItRejected(Bob):
    STAGE = 11

    def rejection(self, data: Event, reason: str) -> Event:
        self.confirmed[data["customer"], str(data["id"])] = data["event"]
        return super().rejection(data, reason)


class AnswersACopyLater(Bob):
    """It is slow: its second answer comes when the first was judged already."""

    STAGE = 11

    def knows(self, event: Event) -> bool:
        if self.confirmed.get(self.order_of(event)) == event["id"]:
            del self.confirmed[self.order_of(event)]
        return False

    async def handle(self, event: Event) -> None:
        if "attempt" in event and event["id"] in self.answered:
            await asyncio.sleep(0.8)
        await super().handle(event)


# ── 12 shift ────────────────────────────────────────────────────────────────────────────────────


class DiesOfPoison(Bob):
    STAGE = 12
    dead = False

    def reason(self, event: Event) -> str:
        data = event["data"]
        if any(isinstance(value, list | dict | bool) or value is None for value in data.values()):
            self.dead = True
        return super().reason(event)

    async def handle(self, event: Event) -> None:
        if self.wants(event) and self.reason(event) is not None and self.dead:
            await self.ws.close()
            return
        await super().handle(event)

    def comes_back(self) -> bool:
        return not self.dead


class IgnoresPoison(DiesOfPoison):
    STAGE = 12

    async def handle(self, event: Event) -> None:
        self.dead = False
        if self.wants(event) and self.reason(event) is not None and self.dead:
            if "attempt" in event:
                await self.ack(event["id"])
            return
        await Bob.handle(self, event)

    def comes_back(self) -> bool:
        return True


class AcksOnlyWhatItConfirms(Bob):
    STAGE = 11

    async def ack(self, id: str) -> None:
        if id in self.confirmed.values():
            await super().ack(id)


class GivesPoisonBack(Bob):
    """A nack instead of an answer: it comes again, and again, and is a dead letter."""

    STAGE = 12

    async def handle(self, event: Event) -> None:
        odd = any(isinstance(value, list | dict | bool | None) for value in event["data"].values())
        if odd and "attempt" in event:
            await self.send({"type": "broker.nack", "data": {"event": event["id"]}})
        else:
            await super().handle(event)


class AnswersOnceMoreLater(Bob):
    """To be on the safe side, some time later, under another id."""

    STAGE = 12

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if event["id"] in self.confirmed.values() and event.get("attempt") == 1:
            self.later = asyncio.create_task(self.once_more(event))

    async def once_more(self, event: Event) -> None:
        await asyncio.sleep(0.6)
        data = {"id": event["data"]["id"], "customer": event["source"], "event": event["id"]}
        await self.send(self.confirmation(data))


class NeverAcksAgain(Bob):
    STAGE = 12

    async def handle(self, event: Event) -> None:
        if not self.knows(event):
            await super().handle(event)


class AnswersWhatComesAgain(Bob):
    STAGE = 12

    def knows(self, event: Event) -> bool:
        if event.get("attempt", 1) > 1:
            self.confirmed.pop(self.order_of(event), None)
            return False
        return super().knows(event)


def every() -> list[type[Bob]]:
    """Each wrong Bob, by its stage."""
    found: list[type[Bob]] = []
    waiting: list[type[Bob]] = [Bob]
    while waiting:
        for kind in waiting.pop(0).__subclasses__():
            waiting.append(kind)
            if kind.STAGE:
                found.append(kind)
    return sorted(dict.fromkeys(found), key=lambda kind: kind.STAGE)
