"""The commands of ``bias-audit``, each in the file of its name, and what several of them ask for."""
