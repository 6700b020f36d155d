// A relay with Socket.IO, over WebSocket alone: io.emit() to all.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false });
io.on('connection', (socket) => {
  socket.on('tick', (event) => io.emit('tick', event));
});
http.listen(0, '127.0.0.1', () => console.log(`http://localhost:${http.address().port}`));
