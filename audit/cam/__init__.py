"""The paper: Grad-CAM and everything on maps that knows no dataset."""
