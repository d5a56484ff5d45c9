"""An mdBook preprocessor for links that leave docs/, such as ../examples/config/README.md.

On a code host these links work. The book does not contain the files, so it shows their names instead, or links to the
code host if book.toml has `git-repository-url`.
"""

import json
import re
import sys

LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")


def main():
    # mdBook asks first whether an output format is supported. This works for all of them.
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"].get("output", {}).get("html", {}).get("git-repository-url")

    def replace(link):
        text, target = link.groups()
        path = target.partition("#")[0]
        if repository:
            return f"[{text}]({repository.rstrip('/')}/blob/main/{target})"
        name = text.strip("`/")
        return f"`{name}`" if f"{path}/".startswith(f"{name}/") else f"{text} (`{path}`)"

    def walk(items):
        for item in items:
            if isinstance(item, dict) and "Chapter" in item:
                chapter = item["Chapter"]
                chapter["content"] = LINK.sub(replace, chapter["content"])
                walk(chapter["sub_items"])

    walk(book.get("items") or book["sections"])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
