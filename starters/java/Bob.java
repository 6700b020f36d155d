// Your Bob. Needs Java 17 or newer: java Bob.java
// Java brings a WebSocket (java.net.http) and no JSON: find a field with a regular expression, or write a small parser.

public class Bob {
    public static void main(String[] args) throws Exception {
        String address = args.length > 0 ? args[0] : "ws://localhost:8080/ws?room=YOURS";

        // Stage 1: connect to the address, and stay.
        //   var socket = java.net.http.HttpClient.newHttpClient().newWebSocketBuilder()
        //       .buildAsync(java.net.URI.create(address), new java.net.http.WebSocket.Listener() { }).join();
        //   socket.sendText("{\"type\": \"hello_said\", \"data\": {}}", true).join();
        //   Thread.currentThread().join(); // onText of your Listener hears what comes

        System.out.println("Write stage 1: connect to " + address + ", and stay.");
    }
}
