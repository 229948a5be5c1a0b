// Sends what a mailed link holds, and what its reader wrote, once they press the button.

const says = document.getElementById("says");
const form = document.getElementById("form");
const button = document.getElementById("send");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const needsToken = form.dataset.needsToken === "true";
if (needsToken && !token) {
  says.textContent = "This link is incomplete. Copy the whole link from your mail.";
  form.hidden = true;
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const reply = await fetch(form.dataset.sendsTo, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...Object.fromEntries(new FormData(form)), ...(needsToken && { token }) }),
    });
    says.textContent = reply.ok ? form.dataset.done : (await reply.json()).detail;
    // A link that is not valid stays so; another password may be good.
    form.hidden = reply.ok || [400, 409].includes(reply.status);
  } catch {
    says.textContent = "The service did not answer. Try again in a moment.";
  }
  button.disabled = false;
});
