"""The packages of a wheel: the code, and `conf`, which lies beside the code and goes inside it.

    pip install .        # -> site-packages/{rft, rft/conf, analysis, hydra_plugins}

`conf` is no Python package and keeps its place at the top of the tree; in a wheel its folders are the data of `rft.conf`
(rft.conf_path says where they lie). pyproject.toml cannot both look for packages and map a folder, hence this file.
"""

from setuptools import find_namespace_packages, setup

code = find_namespace_packages(include=["rft*", "analysis*", "hydra_plugins*"])
conf = ["rft.conf", *(f"rft.conf.{name}" for name in find_namespace_packages("conf"))]

setup(
    packages=[*code, *conf],
    package_dir={"rft.conf": "conf"},
    package_data={
        **{name: ["*.yaml"] for name in conf},
        "rft": ["py.typed", "data/*"],
        "analysis": ["py.typed", "data/*.csv", "report/*.html", "report/*.css", "report/*.js", "explore/assets/*.*"],
    },
)
