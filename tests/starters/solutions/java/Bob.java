// A right Bob, with Java's own WebSocket: java Bob.java ADDRESS [NAME]

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.*;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;

public class Bob implements WebSocket.Listener {
    static final Set<String> MENU = Set.of("espresso", "cappuccino", "hot chocolate", "mint tea", "lemonade", "croissant",
        "cheese sandwich", "tomato soup", "apple pie", "blueberry muffin");
    static final Set<String> seen = new HashSet<>(), confirmed = new HashSet<>();
    static String last;

    final Deque<String> sent = new ArrayDeque<>(); // what waits for broker.accepted: the order to ack, or ""
    final CountDownLatch ended = new CountDownLatch(1);
    final StringBuilder text = new StringBuilder();

    public static void main(String[] args) throws Exception {
        String address = args[0] + "&name=" + (args.length > 1 ? args[1] : "bob") + "&types=order_placed&ack=manual";
        while (true) {
            Bob bob = new Bob();
            try {
                HttpClient.newHttpClient().newWebSocketBuilder()
                    .buildAsync(URI.create(address + (last == null ? "" : "&after=" + last)), bob).join();
                bob.ended.await();
            } catch (java.util.concurrent.CompletionException away) {
                // the server is away: try again
            }
            Thread.sleep(200);
        }
    }

    @Override
    public void onOpen(WebSocket socket) {
        if (last == null) {
            say(socket, "{\"type\": \"hello_said\", \"data\": {}}", "");
            int number = 1 + new Random().nextInt(1000000);
            say(socket, "{\"type\": \"order_placed\", \"data\": {\"id\": " + number + ", \"item\": \"espresso\"}}", "");
        }
        socket.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        text.append(part);
        if (isLast) {
            String message = text.toString();
            text.setLength(0);
            hear(socket, (Map<?, ?>) new Json(message).value());
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        ended.countDown();
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        ended.countDown();
    }

    void say(WebSocket socket, String message, String order) {
        sent.add(order);
        socket.sendText(message, true).join();
    }

    void ack(WebSocket socket, String event) {
        socket.sendText("{\"type\": \"broker.ack\", \"data\": {\"event\": \"" + event + "\"}}", true).join();
    }

    void hear(WebSocket socket, Map<?, ?> event) {
        String type = (String) event.get("type"), id = (String) event.get("id");
        if (type.equals("broker.accepted")) {
            String order = sent.remove();
            if (!order.isEmpty()) ack(socket, order);
        }
        if (type.startsWith("broker.")) return;
        if (type.equals("order_placed") && seen.add(id)) answer(socket, event, id);
        else if (event.get("attempt") instanceof Double attempt && attempt > 1) ack(socket, id);
        last = id;
    }

    void answer(WebSocket socket, Map<?, ?> event, String id) {
        Map<?, ?> data = (Map<?, ?>) event.get("data");
        String order = event.get("source") + "/" + data.get("id");
        String about = "\"id\": " + Json.text(data.get("id")) + ", \"customer\": " + Json.text(event.get("source"))
            + ", \"event\": \"" + id + "\"";
        String reason = reason(data, order);
        if (reason == null) {
            confirmed.add(order);
            say(socket, "{\"type\": \"order_confirmed\", \"data\": {" + about + "}}", id);
        } else {
            say(socket, "{\"type\": \"order_rejected\", \"data\": {" + about + ", \"reason\": \"" + reason
                + "\", \"message\": \"I cannot make that: " + reason + ".\"}}", id);
        }
    }

    static String reason(Map<?, ?> data, String order) {
        Object many = data.get("quantity") == null ? (Object) 1.0 : data.get("quantity");
        Object item = data.get("item"), note = data.get("note");
        if (!isWhole(data.get("id"), Double.MAX_VALUE)) return "invalid_id";
        if (!isWhole(many, 100)) return "invalid_quantity";
        if (item != null && !MENU.contains(item)) return "unknown_item";
        if (note != null && !(note instanceof String words && words.length() <= 200)) return "invalid_note";
        return confirmed.contains(order) ? "duplicate_order" : null;
    }

    static boolean isWhole(Object value, double most) {
        return value instanceof Double number && number == Math.floor(number) && number >= 1 && number <= most;
    }

    /** As much of JSON as an event needs. */
    static class Json {
        final String text;
        int at;

        Json(String text) {
            this.text = text;
        }

        char next() {
            while (" \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
            return text.charAt(at);
        }

        Object value() {
            switch (next()) {
                case '{': {
                    Map<String, Object> map = new LinkedHashMap<>();
                    at++;
                    while (next() != '}') {
                        if (next() == ',') at++;
                        next();
                        String key = string();
                        next();
                        at++; // the colon
                        map.put(key, value());
                    }
                    at++;
                    return map;
                }
                case '[': {
                    List<Object> list = new ArrayList<>();
                    at++;
                    while (next() != ']') {
                        if (next() == ',') at++;
                        list.add(value());
                    }
                    at++;
                    return list;
                }
                case '"':
                    return string();
                default: {
                    int from = at;
                    while (at < text.length() && ",]} \n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(from, at);
                    if (word.equals("null")) return null;
                    if (word.equals("true") || word.equals("false")) return Boolean.valueOf(word);
                    return Double.valueOf(word);
                }
            }
        }

        String string() {
            StringBuilder made = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char c = text.charAt(at);
                if (c == '\\') {
                    c = text.charAt(++at);
                    if (c == 'u') {
                        made.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                        at += 4;
                        continue;
                    }
                    c = switch (c) { case 'n' -> '\n'; case 't' -> '\t'; case 'r' -> '\r'; case 'b' -> '\b'; case 'f' -> '\f'; default -> c; };
                }
                made.append(c);
            }
            at++;
            return made.toString();
        }

        static String text(Object value) {
            if (value instanceof Double number && number == Math.floor(number)) return String.format("%.0f", number);
            if (value instanceof String words) return '"' + words.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
            if (value instanceof List<?> list) return list.stream().map(Json::text).toList().toString();
            return String.valueOf(value);
        }
    }
}
