// Your Bob. Needs Node 22 or newer: node bob.mjs

const ADDRESS = process.argv[2] ?? 'ws://localhost:8080/ws?room=YOURS';

// Stage 1: connect to ADDRESS, and stay.
//   const socket = new WebSocket(ADDRESS);
//   socket.onopen = () => socket.send(JSON.stringify({ type: 'hello_said', data: {} }));
//   socket.onmessage = ({ data }) => console.log(JSON.parse(data));

console.log(`Write stage 1: connect to ${ADDRESS}, and stay.`);
