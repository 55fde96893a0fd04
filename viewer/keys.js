// Keys drive the robot: viser's camera does not move with them, and letting go of a steering key is told, too.
(() => {
  if (window.robotKeys) return;
  const steering = new Set(["KeyA", "KeyD", "KeyQ", "KeyE"]);
  const driving = new Set(["KeyW", "KeyS", ...steering]);
  const held = (window.robotKeys = new Set());
  const root = document.documentElement;
  // viser's hotkeys listen here, its camera further out: nothing of these keys gets there.
  root.addEventListener("keydown", (event) => {
    if (!driving.has(event.code)) return;
    event.stopPropagation();
    if (steering.has(event.code) && !event.ctrlKey) held.add(event.code);
  });
  const release = (code) => {
    if (!held.delete(code)) return;
    const key = code.slice(3).toLowerCase();
    const modifiers = { ctrlKey: true, altKey: true, shiftKey: true };
    root.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true, ...modifiers }));
  };
  window.addEventListener("keyup", (event) => release(event.code), true);
  window.addEventListener("blur", () => [...held].forEach(release));
})();
