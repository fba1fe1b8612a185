// A world of points, cameras and links between two states, drawn on a canvas: no library and no network.
// Units: the world is centered and scaled to radius one, z points up.
(() => {
  "use strict";
  const $ = id => document.getElementById(id);
  const data = JSON.parse($("world").textContent);
  const canvas = $("canvas"), context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const bytes = text => {
    const raw = atob(text || ""), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  };
  const floats = text => new Float32Array(bytes(text).buffer);
  const points = data.points.map(floats), cameras = data.cameras.map(floats), axes = data.axes.map(floats);
  const links = new Uint32Array(bytes(data.links).buffer), colors = bytes(data.colors);
  const nPoints = points[1].length / 3, nCameras = cameras[1].length / 3;
  const home = { yaw: data.yaw, pitch: data.pitch, distance: 2.3, target: [0, 0, 0] };
  const state = {
    ...home, target: [0, 0, 0], time: 1, points: nPoints > 0, cameras: true, links: true, ghost: false,
    spin: false, size: 2, frames: 0,
  };
  const FOV = Math.tan((25 * Math.PI) / 180), NEAR = 0.01, FOG = 5;
  let width = 0, height = 0, image = null, pixels = null, depth = null, dirty = true, goal = null;

  // ------------------------------------------------------------------------------------------- the camera
  function basis() {
    const cy = Math.cos(state.yaw), sy = Math.sin(state.yaw), cp = Math.cos(state.pitch), sp = Math.sin(state.pitch);
    const back = [cp * cy, cp * sy, sp], right = [-sy, cy, 0], up = [-sp * cy, -sp * sy, cp];
    const eye = state.target.map((t, k) => t + state.distance * back[k]);
    return { right, up, back, eye, focal: (0.5 * Math.min(width, height)) / FOV };
  }
  // Place on the screen and distance along the line of sight.
  function project(v, x, y, z, out) {
    const dx = x - v.eye[0], dy = y - v.eye[1], dz = z - v.eye[2];
    const far = -(dx * v.back[0] + dy * v.back[1] + dz * v.back[2]);
    const scale = v.focal / far;
    out[0] = 0.5 * width + scale * (dx * v.right[0] + dy * v.right[1]);
    out[1] = 0.5 * height - scale * (dx * v.up[0] + dy * v.up[1] + dz * v.up[2]);
    out[2] = far;
    return far > NEAR;
  }
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rgb = hex => [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16));

  // ------------------------------------------------------------------------------------------- drawing
  function drawPoints(v, background, time, ghost) {
    const [a, b] = points, s = 1 - time, place = [0, 0, 0], plain = ghost ? rgb(css("--ghost")) : null;
    const base = state.size * (window.devicePixelRatio || 1) * (ghost ? 0.7 : 1);
    for (let i = 0, j = 0; i < nPoints; i++, j += 3) {
      const x = s * a[j] + time * b[j], y = s * a[j + 1] + time * b[j + 1], z = s * a[j + 2] + time * b[j + 2];
      if (x !== x || !project(v, x, y, z, place)) continue;
      const far = place[2], side = Math.max(1, Math.min(12, Math.round((base * state.distance) / far)));
      const left = Math.round(place[0] - side / 2), top = Math.round(place[1] - side / 2);
      if (left < 0 || top < 0 || left + side >= width || top + side >= height) continue;
      const fog = Math.max(0, Math.min(0.8, (far - state.distance) / FOG)), keep = 1 - fog;
      const r = plain ? plain[0] : colors[j], g = plain ? plain[1] : colors[j + 1], c = plain ? plain[2] : colors[j + 2];
      const color = (255 << 24) | ((keep * c + fog * background[2]) << 16) | ((keep * g + fog * background[1]) << 8)
        | (keep * r + fog * background[0]);
      for (let row = top; row < top + side; row++)
        for (let at = row * width + left, end = at + side; at < end; at++)
          if (far < depth[at]) { depth[at] = far; pixels[at] = color; }
    }
  }
  // Lines in three layers of depth, the far ones faint.
  function strokes(color, weight, alpha) {
    const layers = [new Path2D(), new Path2D(), new Path2D()];
    return {
      add(p, q) {
        const far = 0.5 * (p[2] + q[2]) - state.distance;
        const path = layers[far > 0.7 ? 0 : far > -0.3 ? 1 : 2];
        path.moveTo(p[0], p[1]);
        path.lineTo(q[0], q[1]);
      },
      draw() {
        context.strokeStyle = color;
        context.lineWidth = weight * (window.devicePixelRatio || 1);
        layers.forEach((path, k) => { context.globalAlpha = alpha * [0.4, 0.75, 1][k]; context.stroke(path); });
        context.globalAlpha = 1;
      },
    };
  }
  function drawLinks(v, time, ghost) {
    const [a, b] = points, s = 1 - time, p = [0, 0, 0], q = [0, 0, 0];
    const at = (i, out) => {
      const j = 3 * i;
      return project(v, s * a[j] + time * b[j], s * a[j + 1] + time * b[j + 1], s * a[j + 2] + time * b[j + 2], out);
    };
    const chain = strokes(css(ghost ? "--ghost" : "--chain"), 1.6, ghost ? 0.5 : 0.95);
    const closures = strokes(css(ghost ? "--ghost" : "--closure"), 0.8, ghost ? 0.25 : 0.55);
    for (let k = 0; k < links.length; k += 2)
      if (at(links[k], p) && at(links[k + 1], q)) (k < 2 * data.chain ? chain : closures).add(p, q);
    closures.draw();
    chain.draw();
  }
  const CORNERS = [[-0.8, -0.6], [0.8, -0.6], [0.8, 0.6], [-0.8, 0.6]];
  function drawCameras(v, time, ghost) {
    const s = 1 - time, lines = strokes(css(ghost ? "--ghost" : "--camera"), 1.1, ghost ? 0.5 : 0.9);
    const size = data.camera_size, tip = [0, 0, 0], ends = CORNERS.map(() => [0, 0, 0]);
    const mix = (pair, j) => s * pair[0][j] + time * pair[1][j];
    for (let i = 0; i < nCameras; i++) {
      const c = [0, 1, 2].map(k => mix(cameras, 3 * i + k)), R = [];
      for (let k = 0; k < 9; k++) R.push(mix(axes, 9 * i + k));
      let seen = project(v, c[0], c[1], c[2], tip);
      CORNERS.forEach(([x, y], n) => {
        const p = [0, 1, 2].map(k => c[k] + size * (x * R[3 * k] + y * R[3 * k + 1] + R[3 * k + 2]));
        seen = project(v, p[0], p[1], p[2], ends[n]) && seen;
      });
      if (!seen) continue;
      ends.forEach((end, n) => { lines.add(tip, end); lines.add(end, ends[(n + 1) % 4]); });
    }
    lines.draw();
  }
  function draw() {
    const v = basis(), background = rgb(css("--back"));
    pixels.fill((255 << 24) | (background[2] << 16) | (background[1] << 8) | background[0]);
    depth.fill(Infinity);
    if (state.points) {
      if (state.ghost) drawPoints(v, background, 0, true);
      drawPoints(v, background, state.time, false);
    }
    context.putImageData(image, 0, 0);
    for (const ghost of state.ghost ? [true, false] : [false]) {
      const time = ghost ? 0 : state.time;
      if (state.links && links.length) drawLinks(v, time, ghost);
      if (state.cameras && nCameras) drawCameras(v, time, ghost);
    }
    state.frames++;
  }
  function resize() {
    const ratio = window.devicePixelRatio || 1;
    width = canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    height = canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    image = context.createImageData(width, height);
    pixels = new Uint32Array(image.data.buffer);
    depth = new Float32Array(width * height);
    dirty = true;
  }
  function tick() {
    if (state.spin) { state.yaw += 0.004; dirty = true; }
    if (goal !== null) {
      const rest = goal - state.time;
      state.time = Math.abs(rest) < 0.01 ? goal : state.time + Math.sign(rest) * Math.min(Math.abs(rest), 0.03);
      if (state.time === goal) goal = null;
      show();
    }
    if (dirty) { dirty = false; draw(); }
    requestAnimationFrame(tick);
  }

  // ------------------------------------------------------------------------------------------- controls
  function show() {
    $("time").value = state.time;
    $("before").setAttribute("aria-pressed", String((goal ?? state.time) === 0));
    $("after").setAttribute("aria-pressed", String((goal ?? state.time) === 1));
    dirty = true;
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const go = time => { if (calm) state.time = time; else goal = time; show(); };
  $("before").onclick = () => go(0);
  $("after").onclick = () => go(1);
  $("time").oninput = event => { goal = null; state.time = Number(event.target.value); show(); };
  for (const name of ["points", "cameras", "links", "ghost", "spin"]) {
    $(name).checked = state[name];
    $(name).onchange = event => { state[name] = event.target.checked; dirty = true; };
  }
  $("size").oninput = event => { state.size = Number(event.target.value); dirty = true; };
  const reset = () => { Object.assign(state, home, { target: [0, 0, 0] }); dirty = true; };
  $("reset").onclick = reset;
  $("theme").onclick = () => {
    const root = document.documentElement, dark = rgb(css("--back"))[0] < 128;
    root.dataset.theme = dark ? "light" : "dark";
    dirty = true;
  };
  $("save").onclick = () => {
    draw();
    const link = document.createElement("a");
    link.href = canvas.toDataURL("image/png");
    link.download = "world.png";
    link.click();
  };
  const turn = (dx, dy) => {
    state.yaw -= dx;
    state.pitch = Math.max(-1.55, Math.min(1.55, state.pitch + dy));
    dirty = true;
  };
  const zoom = factor => { state.distance = Math.max(0.02, Math.min(60, state.distance * factor)); dirty = true; };
  const pan = (dx, dy) => {
    const v = basis(), size = (2 * FOV * state.distance) / Math.min(canvas.clientWidth, canvas.clientHeight);
    state.target = state.target.map((t, k) => t - size * (dx * v.right[k] - dy * v.up[k]));
    dirty = true;
  };
  const fingers = new Map();
  canvas.onpointerdown = event => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    canvas.focus();
  };
  canvas.onpointerup = canvas.onpointercancel = event => fingers.delete(event.pointerId);
  canvas.onpointermove = event => {
    const old = fingers.get(event.pointerId);
    if (!old) return hover(event);
    fingers.set(event.pointerId, event);
    const dx = event.clientX - old.clientX, dy = event.clientY - old.clientY;
    if (fingers.size === 1) return old.shiftKey || old.buttons & 6 ? pan(dx, dy) : turn(0.006 * dx, 0.006 * dy);
    const other = [...fingers.values()].find(f => f.pointerId !== event.pointerId);
    const apart = f => Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY) + 1;
    zoom(apart(old) / apart(event));
    pan(dx / 2, dy / 2);
  };
  canvas.oncontextmenu = event => event.preventDefault();
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-0.4, Math.min(0.4, 0.0015 * event.deltaY))));
  }, { passive: false });
  // The nearest camera (or pose, or point where there is nothing else) within a few pixels.
  function nearest(event, limit) {
    const v = basis(), ratio = window.devicePixelRatio || 1, p = [0, 0, 0], s = 1 - state.time;
    const [kind, pair, n] = nCameras ? [data.camera_name, cameras, nCameras] : [data.point_name, points, nPoints];
    let best = limit * ratio, found = null;
    for (let i = 0; i < n; i++) {
      const at = [0, 1, 2].map(k => s * pair[0][3 * i + k] + state.time * pair[1][3 * i + k]);
      if (!project(v, ...at, p)) continue;
      const far = Math.hypot(p[0] - event.offsetX * ratio, p[1] - event.offsetY * ratio);
      if (far < best) [best, found] = [far, { name: `${kind} ${(nCameras ? data.camera_names : data.point_names)?.[i] ?? i}`, at }];
    }
    return found;
  }
  function hover(event) {
    if (!nCameras && nPoints > 20000) return;
    const found = nearest(event, 9), label = $("label");
    label.style.display = found ? "block" : "none";
    if (!found) return;
    label.textContent = found.name;
    label.style.left = `${event.clientX + 12}px`;
    label.style.top = `${event.clientY + 8}px`;
  }
  canvas.ondblclick = event => {
    const found = nearest(event, 25);
    if (found) state.target = found.at;
    else reset();
    dirty = true;
  };
  canvas.onkeydown = event => {
    const keys = {
      ArrowLeft: () => turn(0.08, 0), ArrowRight: () => turn(-0.08, 0), ArrowUp: () => turn(0, 0.08),
      ArrowDown: () => turn(0, -0.08), "+": () => zoom(0.9), "-": () => zoom(1.1), r: reset,
      " ": () => go((goal ?? state.time) < 0.5 ? 1 : 0),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  };
  for (const [name, there] of [["points", nPoints], ["cameras", nCameras], ["links", links.length]])
    $(name).closest("label").hidden = !there;
  window.addEventListener("resize", resize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { dirty = true; });
  window.view = { state, draw };
  resize();
  show();
  draw();
  tick();
})();
