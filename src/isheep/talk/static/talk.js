// Asks, shows answers while they are written, sends votes. Everything a model says is set as text, never as markup.
"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const talk = by("talk"), form = by("form"), field = by("question"), said = by("said"), stop = by("stop");
  const names = JSON.parse(talk.dataset.names), blind = talk.dataset.blind === "yes";
  const conversation = crypto.randomUUID();
  let busy = null; // what stops the answer that is being written

  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const post = (where, what, signal) => fetch(where, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what), signal,
  });

  const turn = (question) => {
    const section = make("section", "turn"), answers = make("div", "answers");
    section.append(make("h2", "asked", question), answers);
    const places = names.map((name) => {
      const card = make("article", "card writing"), text = make("div", "text"), note = make("p", "small muted");
      card.append(make("h3", "", name), text, note);
      answers.append(card);
      return { card, text, note };
    });
    talk.append(section);
    section.scrollIntoView({ block: "nearest" });
    return { section, places };
  };

  // Server-sent events out of a response: one JSON object in each.
  async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let left = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (left + value).split("\n\n");
      left = parts.pop();
      for (const part of parts) yield JSON.parse(part.slice("data: ".length));
    }
  }

  const ask = async (question, again) => {
    if (busy) return;
    busy = new AbortController();
    stop.hidden = false;
    said.textContent = "";
    const shown = turn(question);
    try {
      const response = await post("/ask", { conversation, question, again }, busy.signal);
      if (!response.ok) throw new Error(await response.text());
      for await (const event of events(response)) {
        if (event.error) throw new Error(event.error);
        if (event.answers) finish(shown, event);
        else shown.places[event.place].text.append(event.piece);
      }
    } catch (error) {
      said.textContent = error.name === "AbortError" ? "Stopped; it is not part of the conversation." : error.message;
      if (error.name === "TypeError") said.textContent = "The terminal that served this page has ended.";
    }
    shown.places.forEach(({ card }) => card.classList.remove("writing"));
    busy = null;
    stop.hidden = true;
  };

  const finish = (shown, event) => {
    event.answers.forEach((answer, place) => {
      shown.places[place].text.textContent = answer.text;
      shown.places[place].note.textContent = answer.note;
    });
    if (blind) votes(shown.section, event.round);
    else said.textContent = "Answered.";
  };

  const votes = (section, round) => {
    const row = make("div", "votes");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Which answer is better?");
    for (const [vote, label] of [["a", "A is better"], ["b", "B is better"], ["tie", "Tie"], ["skip", "Skip"]]) {
      const button = make("button", "", label);
      button.type = "button";
      button.addEventListener("click", async () => {
        row.querySelectorAll("button").forEach((one) => { one.disabled = true; });
        const response = await post("/vote", { round, vote });
        said.textContent = response.ok ? `Noted: ${label}. Votes so far: ${(await response.json()).votes}.`
          : "The vote was not noted.";
        row.replaceWith(make("p", "small muted", response.ok ? label : "not noted"));
        field.focus();
      });
      row.append(button);
    }
    row.addEventListener("keydown", (event) => {
      const place = event.ctrlKey || event.metaKey || event.altKey ? -1 : "abts".indexOf(event.key.toLowerCase());
      if (place >= 0) row.children[place].click();
    });
    section.append(row);
    row.firstChild.focus();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = field.value.trim();
    if (!question || busy) return;
    field.value = "";
    ask(question, false);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  stop.addEventListener("click", () => busy && busy.abort());
  by("again")?.addEventListener("click", () => {
    const asked = talk.querySelectorAll(".asked");
    if (asked.length) ask(asked[asked.length - 1].textContent, true);
    else said.textContent = "Nothing was asked yet.";
  });
  by("reset")?.addEventListener("click", async () => {
    if (busy) return;
    await post("/reset", { conversation });
    talk.replaceChildren();
    said.textContent = "Forgotten.";
    field.focus();
  });
  by("end")?.addEventListener("click", async () => {
    said.textContent = (await (await fetch("/result")).json()).sentence;
  });
})();
