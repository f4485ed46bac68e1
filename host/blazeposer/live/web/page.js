// Draws the server's events. Text is only set by textContent, and canvases only show numbers.
import {drawAxes, drawHead} from "/head.js";

const SPAN = 8000;  // length of the traces in milliseconds
const AWAY = 1500;  // milliseconds without a face after which the face's line has a gap
const LIMIT = 60;  // degrees at the edges of the traces
const NAMES = ["yaw", "pitch", "roll"];
const NOSE = 2;  // index of the nose among the keypoints
const HARD = "\u00a0";  // a space without a line break
const SHORT = 5000;  // milliseconds for which good news is shown
const angles = (face) => NAMES.map((name) => face[name]);
const element = (id) => document.getElementById(id);
const traces = new Map();  // id of a face -> [time, yaw, pitch, roll, and raw]
const cards = new Map();
const slots = new Map();  // id of a face -> number of its colour; faces on the page have different colours
const style = getComputedStyle(document.documentElement);
const theme = (name) => style.getPropertyValue(`--${name}`);
const delays = [];  // milliseconds from a record's arrival on the PC until it was drawn, for tests
window.blazeposer = {delays, drawn: 0};

let newest = null, scheduled = false, lastState = "", picture = null;

const events = new EventSource("/events");
events.onmessage = (event) => take(JSON.parse(event.data));
events.onerror = () => say("No connection to blazeposer. Start it again: then the page continues.");
events.addEventListener("end", () => { events.close(); say("The session has ended."); });

for (const name of ["record", "recentre"]) {
  element(name).addEventListener("click", async () => {
    const answer = await fetch(`/${name}`, {method: "POST", headers: {"X-BlazePoser": "page"}});
    if (!answer.ok) say(await answer.text());
  });
}

function say(words) {
  element("state").textContent = words;
  lastState = null;
}

function sayShortly(words) {
  say(words);
  setTimeout(() => { if (element("state").textContent === words) element("state").textContent = ""; }, SHORT);
}

// Golden angles give hues that are far apart, for any number of faces.
function colour(id, alpha = 1) {
  if (!slots.has(id)) {
    let slot = 0;
    while ([...slots.values()].includes(slot)) slot++;
    slots.set(id, slot);
  }
  return `hsl(${(205 + 137.5 * slots.get(id)) % 360} 80% ${theme("lightness")} / ${alpha})`;
}

function take(moment) {
  element("name").textContent = moment.name;
  element("losses").textContent = moment.losses;
  const state = [moment.state, ...moment.troubles].filter(Boolean).join("\n");
  if (state !== lastState) {
    if (!state && newest && lastState) sayShortly("The problem is solved.");
    else say(state);
    lastState = state;
  }
  if (moment.recentred) sayShortly("The present pose is the zero.");
  for (const name of ["record", "recentre"]) element(name).hidden = !moment.own;
  element("record").textContent = moment.recording ? "Stop recording" : "Record";
  element("record").className = moment.recording ? "on" : "";
  element("recording").textContent = moment.recording ? `Recording to ${moment.recording}` : "";
  element("why").textContent = moment.faces && !moment.picture ? moment.blind : "";
  if (!moment.faces) return;
  for (const face of moment.faces) {
    if (!traces.has(face.id)) traces.set(face.id, []);
    traces.get(face.id).push([moment.at, ...angles(face), ...face.raw]);
  }
  newest = moment;
  if (!scheduled) {
    scheduled = true;
    requestAnimationFrame(draw);
  }
}

function draw() {
  scheduled = false;
  const moment = newest;
  if (moment.picture) {
    picture ??= new Image();
    picture.src = "data:image/jpeg;base64," + moment.picture;
    picture.decode().then(() => drawMoment(moment), () => drawMoment(moment));
  } else {
    drawMoment(moment);
  }
}

function drawMoment(moment) {
  const [wait, network, decode] = moment.ms ?? [];
  const ms = moment.ms ? ` · image ${wait.toFixed(0)}, network ${network.toFixed(0)}` + (decode ? `, decoding ${decode.toFixed(1)} ms` : " ms") : "";
  element("numbers").textContent = `${moment.fps.toFixed(1)} frames per second${ms}`;
  drawFrame(moment);
  drawPeople(moment);
  NAMES.forEach((name, axis) => drawTrace(element(name), name, axis, moment));
  window.blazeposer.drawn++;
  window.blazeposer.seq = moment.seq;
  requestAnimationFrame(() => {  // at the next frame, the present frame is on the screen
    delays.push(performance.timeOrigin + performance.now() - moment.at);
    if (delays.length > 1000) delays.shift();
  });
}

function drawFrame(moment) {
  const canvas = element("frame"), context = canvas.getContext("2d");
  const [width, height] = moment.size, scale = canvas.width / width;
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (moment.picture && picture.complete && picture.naturalWidth) {
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  } else {
    context.strokeStyle = theme("line"); context.lineWidth = 1;
    for (let i = 1; i < 8; i++) {
      const x = i * canvas.width / 8, y = i * canvas.height / 8;
      context.strokeRect(x, -1, 0, canvas.height + 2); context.strokeRect(-1, y, canvas.width + 2, 0);
    }
  }
  for (const face of moment.faces) {
    const [x, y, w, h] = face.seen.box.map((value) => value * scale);
    context.lineWidth = 2; context.strokeStyle = context.fillStyle = colour(face.id);
    context.strokeRect(x, y, w, h);
    context.font = "600 15px system-ui, sans-serif";
    context.lineWidth = 4; context.strokeStyle = theme("canvas"); context.strokeText(`face ${face.id}`, x, y - 6);
    context.fillText(`face ${face.id}`, x, y - 6);
    context.fillStyle = moment.picture ? "white" : theme("text");
    const points = face.seen.keypoints;  // x, y of each keypoint
    for (let i = 0; i < points.length; i += 2) {
      context.beginPath(); context.arc(points[i] * scale, points[i + 1] * scale, 3.5, 0, 7); context.fill();
    }
    const [nx, ny] = points.slice(2 * NOSE, 2 * NOSE + 2).map((value) => value * scale);
    drawAxes(context, nx, ny, face.seen.rotation, w / 2, moment.axes, 4);
  }
}

function card(id) {
  const root = document.createElement("div"), canvas = document.createElement("canvas");
  const lines = ["who", "angles", "place"].map((name) => Object.assign(document.createElement("p"), {className: name}));
  root.className = "person"; lines[0].style.color = colour(id);
  canvas.width = canvas.height = 260;
  root.append(lines[0], canvas, lines[1], lines[2]);
  element("heads").append(root);
  return {root, canvas, lines};
}

function drawPeople(moment) {
  const present = new Set(moment.faces.map((face) => face.id));
  for (const [id, {root}] of cards) {
    if (!present.has(id)) { root.remove(); cards.delete(id); }
  }
  for (const face of moment.faces) {
    if (!cards.has(face.id)) cards.set(face.id, card(face.id));
    const {canvas, lines} = cards.get(face.id);
    drawHead(canvas, face.rotation, moment.axes);
    lines[0].textContent = `face ${face.id}`;
    lines[1].textContent = NAMES.map((name) => `${name}${HARD}${signed(face[name])}`).join("  ") + `\nexpected${HARD}error${HARD}${face.err.toFixed(1)}°  score${HARD}${face.score.toFixed(2)}`;
    lines[2].textContent = ["x", "y", "z"].map((name, axis) => `${name}${HARD}${whole(face.position[axis])}`).join("  ") + HARD + "cm";
  }
}

const whole = (value) => `${Math.round(value) || 0}`.replace("-", "−");
const signed = (value) => (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(1);

function drawTrace(canvas, name, axis, moment) {
  const now = moment.at;
  const width = canvas.clientWidth, height = canvas.clientHeight, context = canvas.getContext("2d");
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  context.clearRect(0, 0, width, height);
  const x = (time) => width * (1 - (now - time) / SPAN), y = (value) => height / 2 * (1 - value / LIMIT);
  context.lineWidth = 1; context.strokeStyle = theme("line"); context.fillStyle = theme("soft");
  context.font = "12px system-ui, sans-serif";
  for (const value of [-30, 0, 30]) {
    context.beginPath(); context.moveTo(0, y(value)); context.lineTo(width, y(value)); context.stroke();
    context.fillText(`${value}°`, 4, y(value) - 3);
  }
  context.fillStyle = `rgb(${moment.colors[name].join(" ")})`; context.font = "600 13px system-ui, sans-serif";
  context.textAlign = "right"; context.fillText(name, width - 8, 16); context.textAlign = "left";
  for (const [id, points] of traces) {
    while (points.length && now - points[0][0] > SPAN) points.shift();
    if (!points.length) { traces.delete(id); if (!cards.has(id)) slots.delete(id); continue; }
    for (const [column, alpha, wide] of [[4 + axis, 0.35, 1], [1 + axis, 1, 2]]) {  // raw values behind smoothed values
      context.strokeStyle = colour(id, alpha); context.lineWidth = wide;
      context.beginPath();
      points.forEach((point, i) => {
        const far = i && point[0] - points[i - 1][0] > AWAY;  // the face was not visible in between
        context[i && !far ? "lineTo" : "moveTo"](x(point[0]), y(point[column]));
      });
      context.stroke();
    }
  }
}
