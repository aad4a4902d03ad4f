/* Looks again every three seconds and swaps what changed; a person's place on the page stays. */
(function () {
	"use strict";
	var seen = "";
	function look() {
		if (document.hidden) { return; }
		fetch(location.href, { cache: "no-store" }).then(function (answer) {
			if (!answer.ok) { throw new Error(answer.status); }
			return answer.text();
		}).then(function (text) {
			document.body.classList.remove("stale");
			if (text === seen) { return; }
			seen = text;
			var page = new DOMParser().parseFromString(text, "text/html");
			document.querySelector("main").replaceWith(page.querySelector("main"));
			document.title = page.title;
		}).catch(function () { document.body.classList.add("stale"); });
	}
	setInterval(look, 3000);
	document.addEventListener("visibilitychange", look);
}());
