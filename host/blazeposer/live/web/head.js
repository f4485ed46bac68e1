// Draws a head of quads on a canvas: an egg with nose, eyes, mouth, hair and ears. The farthest quad is drawn first.
// The axes are the axes of the rotations: x points to the right of the image, y up, z out of the face.

const RINGS = 22, STEPS = 32;
const SKIN = [222, 180, 150], HAIR = [92, 66, 48], LIPS = [178, 92, 88], WHITE = [244, 244, 240], IRIS = [52, 70, 92];
const LIGHT = [0.25, 0.45, 0.86];

const bump = (a, b, x, y, width, height) => Math.exp(-(((a - x) / width) ** 2) - ((b - y) / height) ** 2);

// Returns the surface at longitude a (0 is the nose, positive towards x) and latitude b, in radians.
function surface(a, b) {
  const front = Math.max(0, Math.cos(a)) ** 2;
  const jaw = b < 0 ? 1 - 0.22 * front * Math.min(1, -b) ** 2 - 0.1 * Math.min(1, -b) : 1;
  let r = 1 + 0.2 * bump(a, b, 0, -0.14, 0.13, 0.14) + 0.1 * bump(a, b, 0, 0.04, 0.09, 0.16);
  r -= 0.05 * (bump(a, b, -0.38, 0.16, 0.16, 0.1) + bump(a, b, 0.38, 0.16, 0.16, 0.1));
  r += 0.05 * bump(a, b, 0, -0.78, 0.3, 0.16) + 0.02 * bump(a, b, 0, -0.46, 0.25, 0.06);
  const ear = 0.16 * (bump(a, b, -1.62, 0, 0.1, 0.22) + bump(a, b, 1.62, 0, 0.1, 0.22));
  return [(0.74 + ear) * r * jaw * Math.cos(b) * Math.sin(a), r * Math.sin(b), 0.86 * r * Math.cos(b) * Math.cos(a)];
}

function colour(a, b) {
  const near = Math.abs(a);
  if (b > 0.62 || (near > 1.3 && b > 0.2) || near > 1.9 && b > -0.5) return HAIR;
  const x = (near - 0.38) / 0.17, y = (b - 0.16) / 0.075;
  if (((near - 0.38) / 0.07) ** 2 + y * y < 1) return IRIS;
  if (x * x + y * y < 1) return WHITE;
  if (Math.abs(b - 0.34) < 0.035 && near > 0.18 && near < 0.58) return HAIR;
  if ((a / 0.27) ** 2 + ((b + 0.46) / 0.06) ** 2 < 1) return LIPS;
  return SKIN;
}

// The grid has more lines near longitude 0, where the face is.
const longitudes = Array.from({length: STEPS * 2 + 1}, (_, i) => { const u = i / STEPS - 1; return Math.PI * (0.45 * u + 0.55 * u ** 3); });
const latitudes = Array.from({length: RINGS * 2 + 1}, (_, i) => { const u = i / RINGS - 1; return (Math.PI / 2) * (0.75 * u + 0.25 * u ** 3); });
const POINTS = latitudes.flatMap((b) => longitudes.map((a) => surface(a, b)));
const QUADS = [];
const COLUMNS = longitudes.length;
for (let i = 0; i + 1 < latitudes.length; i++) {
  for (let j = 0; j + 1 < COLUMNS; j++) {
    const k = i * COLUMNS + j;
    QUADS.push({corners: [k, k + 1, k + COLUMNS + 1, k + COLUMNS],
      colour: colour((longitudes[j] + longitudes[j + 1]) / 2, (latitudes[i] + latitudes[i + 1]) / 2)});
  }
}
const turned = POINTS.map(() => [0, 0, 0]);

export function drawHead(canvas, rotation, axes) {
  const context = canvas.getContext("2d"), w = canvas.width, h = canvas.height, scale = 0.36 * h;
  const [[a, b, c], [d, e, f], [g, k, l]] = rotation;
  POINTS.forEach(([x, y, z], i) => {
    const p = turned[i];
    p[0] = a * x + b * y + c * z; p[1] = d * x + e * y + f * z; p[2] = g * x + k * y + l * z;
  });
  context.clearRect(0, 0, w, h);
  const seen = [];
  for (const quad of QUADS) {
    const [p, q, r, s] = quad.corners.map((i) => turned[i]);
    const u = [r[0] - p[0], r[1] - p[1], r[2] - p[2]], v = [s[0] - q[0], s[1] - q[1], s[2] - q[2]];
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    if (n[2] <= 0) continue;
    const shade = 0.35 + 0.65 * Math.max(0, (n[0] * LIGHT[0] + n[1] * LIGHT[1] + n[2] * LIGHT[2]) / Math.hypot(...n));
    seen.push([p[2] + q[2] + r[2] + s[2], p, q, r, s, quad.colour, shade]);
  }
  seen.sort((one, other) => one[0] - other[0]);
  for (const [, p, q, r, s, [red, green, blue], shade] of seen) {
    context.fillStyle = context.strokeStyle = `rgb(${red * shade | 0} ${green * shade | 0} ${blue * shade | 0})`;
    context.beginPath();
    for (const point of [p, q, r, s]) context.lineTo(w / 2 + scale * point[0], h / 2 - scale * point[1]);
    context.closePath(); context.fill(); context.stroke();  // the stroke closes gaps between quads
  }
  drawAxes(context, w / 2 + scale * c * 1.02, h / 2 - scale * f * 1.02, rotation, 0.6 * scale, axes, 3);
  context.lineWidth = 1;
}

// Draws the axes of a head from its nose at (x, y). The axis nearest to the viewer is drawn last.
export function drawAxes(context, x, y, rotation, length, colours, width) {
  [0, 1, 2].sort((one, other) => rotation[2][one] - rotation[2][other]).forEach((axis) => {
    context.strokeStyle = `rgb(${colours[axis].join(" ")})`; context.lineWidth = width;
    context.beginPath(); context.moveTo(x, y);
    context.lineTo(x + rotation[0][axis] * length, y - rotation[1][axis] * length); context.stroke();
  });
}
