"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const [category, words, told] = ["category", "words", "told"].map((name) => form.elements[name]);
  const items = [...document.querySelectorAll("[data-item]")];

  const choose = () => {
    const asked = words.value.trim().toLowerCase();
    let count = 0;
    for (const item of items) {
      const fits = category.value === "" || item.dataset.category === category.value;
      item.hidden = !(fits && item.dataset.words.toLowerCase().includes(asked));
      count += !item.hidden;
    }
    told.value = `${count} of ${items.length} items`;
  };

  form.hidden = false;
  for (const kind of ["input", "change"]) form.addEventListener(kind, choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  choose();
})();
