"""Pages of the API: one for each package of the library that has public names."""

import ast
import pathlib

LIBRARY = pathlib.Path(__file__).resolve().parents[2] / "tfp_noiseflow"

# In the order in which a reader needs them.
ORDER = ("models", "bijectors", "laws", "captures", "training", "evaluation", "augmentation",
         "calibration", "imaging", "serving", "interop")  # fmt: skip


def public_names() -> dict[str, list[str]]:
    """Package to the names that are public as `nf.NAME`, as `__init__.pyi` lists them."""
    packages = {}
    for node in ast.parse((LIBRARY / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if node.module is None:
                packages.update({package: _all_of(package) for package in names})
            elif (LIBRARY / node.module).is_dir():
                packages[node.module] = names
    unknown = set(packages) - set(ORDER)
    if unknown:
        raise ValueError(f"expected a place in ORDER of {__file__} for {sorted(unknown)}")
    return {package: packages[package] for package in ORDER if package in packages}


def _all_of(package):
    for node in ast.parse((LIBRARY / package / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    raise ValueError(f"expected __all__ in {package}/__init__.py")


def _defined() -> dict[str, list[str]]:
    """Name to the modules that define it."""
    modules = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        module = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                modules.setdefault(node.name, []).append(module)
    return modules


def pages() -> dict[str, str]:
    """Path of each page to its text."""
    defined = _defined()
    rows = ["# API", "", "What is public, `nf.__all__`, by module.", ""]
    texts = {}
    for package, names in public_names().items():
        about = ast.get_docstring(ast.parse((LIBRARY / package / "__init__.py").read_text()))
        prefix = "nf.bijectors." if package == "bijectors" else "nf."
        page = [f"# {package.capitalize()}", "", about, ""]
        links = []
        for name in names:
            places = defined[name]
            # A name that two packages use is that of its own package.
            place = next((p for p in places if p.split(".")[1] == package), places[0])
            page += [f"::: {place}.{name}", "    options:", f"      heading: {prefix}{name}",
                     f"      toc_label: {name}", ""]  # fmt: skip
            links.append(f"[`{name}`]({package}.md#{place}.{name})")
        rows += [f"**[{package.capitalize()}]({package}.md)** {about.splitlines()[0]}", "",
                 ", ".join(links), ""]  # fmt: skip
        texts[f"api/{package}.md"] = "\n".join(page)
    return {"api/index.md": "\n".join(rows)} | texts


def on_config(config):
    next(entry for entry in config.nav if "API" in entry)["API"] = list(pages())
    return config


def on_files(files, config):
    # Here, because a test looks at the pages where the site is not built.
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
