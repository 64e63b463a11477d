"use strict";
const two = (number) => String(number).padStart(2, "0");
const written = (left) => {
  const minutes = Math.floor(left / 60) % 60, hours = Math.floor(left / 3600);
  return (hours ? `${hours} h ${two(minutes)}` : minutes) + ` min ${two(left % 60)} s`;
};
for (const shown of document.querySelectorAll("[data-left]")) {
  const end = Date.now() + 1000 * Number(shown.dataset.left);
  const timer = setInterval(() => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    shown.textContent = written(left);
    if (left === 0) {
      clearInterval(timer);
      location.replace(shown.dataset.next);
    }
  }, 250);
}
